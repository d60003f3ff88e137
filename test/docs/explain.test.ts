// docs/explain.md: its commands print what it shows, its JSON is what is asked and answered. UPDATE_DOCS=1
// writes both.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { Explanation } from '../../src/domain/routing/explanation-schema.js';
import { run } from '../cli/run.js';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { until } from '../helpers/until.js';

const PAGE = fileURLToPath(new URL('../../../docs/explain.md', import.meta.url));

/** The words of a command line: blanks part them, but in double quotes, where \" is a quote. */
const wordsOf = (command: string): string[] =>
  [...command.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, text, word]) => text?.replaceAll('\\"', '"') ?? word ?? '',
  );

/** What holds nothing but texts, numbers and lists of them stands on one line. */
const inFewLines = (json: string): string => {
  const list = (text: string): string => text.replace(/\[\s+([^{}[\]]*?)\s+\]/g, (_, items) => `[${oneLine(items)}]`);
  return list(json).replace(/\{\s+((?:[^{}[\]]|\[[^{}[\]]*\])*?)\s+\}/g, (_, members) => `{ ${oneLine(members)} }`);
};
const oneLine = (text: string): string => text.replace(/\n\s*/g, ' ');

test('docs/explain.md: explain prints, is asked and answers what it says', async (t) => {
  const page = readFileSync(PAGE, 'utf8');
  const block = (language: string, at: number): string =>
    [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))][at]?.[1] ?? '';

  const daemon = await DaemonProcess.startReady(t);
  const commands = [...block('console', 0).matchAll(/^\$ npx extreg (.*)$/gm)].map(([, command = '']) => command);
  t.is(commands.length, 4);
  let printed = '';
  for (const command of commands) {
    if (command.startsWith('explain'))
      await until('it is known', async () => ((await daemon.health('mask_reply')).instances?.length ?? 0) === 3);
    const { code, stdout, stderr } = await run([...wordsOf(command), '--data-dir', '.'], { cwd: daemon.dataDir });
    t.is(stderr, '', command);
    t.is(code, 0, command);
    printed += `$ npx extreg ${command}\n${stdout}`;
  }
  const client = await daemon.connect();
  const answer = await client.request('extreg.v1.admin.explain', block('json', 0), { timeout: 5000 });
  const answered = `${inFewLines(JSON.stringify(answer.json(), null, 2))}\n`;
  if (process.env.UPDATE_DOCS) {
    writeFileSync(
      PAGE,
      page.replace(block('console', 0), () => printed).replace(block('json', 1), () => answered),
    );
    return t.pass();
  }
  t.is(block('console', 0), printed);
  t.deepEqual(JSON.parse(block('json', 1)), answer.json());

  const [, query = ''] = /`(\?tenant_id=\S+)`/.exec(page) ?? [];
  t.deepEqual(await (await daemon.fetch(`/admin/extensions/mask_reply/explain${query}`)).json(), answer.json());
  const [, command = ''] = /\$ npx extreg (explain .*)/.exec(page) ?? [];
  const asJson = await run([...wordsOf(command), '--json', '--data-dir', '.'], { cwd: daemon.dataDir });
  t.deepEqual(JSON.parse(asJson.stdout), answer.json() as Explanation);
});

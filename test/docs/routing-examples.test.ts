// docs/routing.md: its commands print what it shows, its shapes are those that are tested. docs/routing.md and docs/instances.md: the
// two examples of the specification.
import test from 'ava';
import { parse } from '#yaml';
import { ROUTING_SCENARIOS, type RoutingScenario } from '../helpers/routing-scenarios.js';
import { filesOf, readProjectFile, sectionOf, stepsOf } from './page.js';
import { walkPage } from './walk.js';

const PAGE = readProjectFile('docs/routing.md');

test('docs/routing.md: its commands print what it shows', (t) => walkPage(t, 'docs/routing.md', 20));

/** By page, word for word. */
const SPECIFICATION: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'docs/routing.md': {
    'versions.sql': `INSERT INTO extension_versions (id, version, subject, timeout_ms, retry, routing_rules) VALUES
    ('normalize_text', 'v1', 'beamline.ext.pre.normalize_text.v1', 100, 0, '{}'),
    ('normalize_text', 'v2', 'beamline.ext.pre.normalize_text.v2', 80, 0, '{"tenant_id": ["tenant1", "tenant2"]}');
`,
  },
  'docs/instances.md': {
    'instances.sql': `INSERT INTO extension_instances (extension_id, instance_id, subject, weight, health_status) VALUES
    ('normalize_text', 'instance-1', 'beamline.ext.pre.normalize_text.v1', 100, 'healthy'),
    ('normalize_text', 'instance-2', 'beamline.ext.pre.normalize_text.v1', 50, 'healthy');
`,
  },
};

test("docs/routing.md, docs/instances.md: the specification's two examples are its own, word for word, and are run", (t) => {
  for (const [path, statements] of Object.entries(SPECIFICATION)) {
    const page = readProjectFile(path);
    const files = filesOf(page);
    const commands = stepsOf(page).map(({ command }) => command);
    for (const [name, statement] of Object.entries(statements)) {
      t.is(files.get(name), statement);
      t.true(commands.includes(`npx extreg sql "$(cat ${name})"`), name);
    }
  }
});

const SHAPES = sectionOf(PAGE, 'Common shapes').split('\n### ').slice(1);
const ONES_OF_PEOPLE = ROUTING_SCENARIOS.filter(({ title }) => !title.startsWith('the specification'));

test('docs/routing.md: each common shape is one that is tested, and each of those is there', (t) => {
  t.is(SHAPES.length, 6);
  t.deepEqual(
    SHAPES.map(shapeOf),
    ONES_OF_PEOPLE.map(({ versions, calls }) => ({ versions, calls })),
  );
});

function shapeOf(section: string): Omit<RoutingScenario, 'title'> {
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(section) ?? [];
  const { versions } = parse(yaml) as Pick<RoutingScenario, 'versions'>;
  const calls = [...section.matchAll(/^\| (nothing|`.*`) \| `(\S+)` \|$/gm)].map(([, context = '', version = '']) => {
    const pairs = [...context.matchAll(/`(\S+)` `(\S+)`/g)].map(([, key = '', value = '']) => [key, value] as const);
    return [Object.fromEntries(pairs), version] as const;
  });
  return { versions, calls };
}

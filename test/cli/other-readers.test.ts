// What extreg export writes, read by PyYAML, which reads YAML 1.1.
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import fc from 'fast-check';
import { renderRegistryDocument } from '../../src/cli/registry/registry-document.js';
import { ExactNumber, type Json, stringifyExactJson } from '../../src/domain/exact-json.js';
import { everyCharacter, hostileTexts, propertyRuns, TEXTS_THAT_LOOK_LIKE_MORE } from '../helpers/hostile-text.js';
import { unless } from '../helpers/skip.js';

interface Found {
  readonly python: string;
  readonly pythonPath: string;
}

/** As the set-up found it; a run without the set-up looks for itself. */
async function pythonWithYaml(): Promise<Found> {
  const { EXTREG_TEST_PYTHON: python, EXTREG_TEST_PYTHONPATH: pythonPath = '' } = process.env;
  if (python !== undefined && python !== '') return { python, pythonPath };
  const { findPythonYaml } = (await import(pathToFileURL(resolve('scripts', 'python-yaml.mjs')).href)) as {
    findPythonYaml(dataDir: string, env: NodeJS.ProcessEnv): Promise<Found | null>;
  };
  const found = await findPythonYaml(resolve('.extreg'), process.env);
  if (found === null) throw new Error('there is no Python with PyYAML: npm test fetches one');
  return found;
}

/** Of the texts of the same value in YAML and in JSON: the values that differ, and how many were compared. */
const COMPARE = `
import json, sys, yaml
def same(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(isinstance(k, str) and k in b and same(v, b[k]) for k, v in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    numbers = (int, float)
    return a == b and (type(a) is type(b) or type(a) in numbers and type(b) in numbers)
read = json.load(sys.stdin)
got, wanted = yaml.safe_load(read['yaml'].encode('utf-8')), json.loads(read['json'])
json.dump({'compared': len(got), 'differ': [[repr(w), repr(g)] for w, g in zip(wanted, got) if not same(w, g)]}, sys.stdout)
`;

async function differences(values: readonly Json[]): Promise<unknown> {
  const { python, pythonPath } = await pythonWithYaml();
  const input = JSON.stringify({ yaml: renderRegistryDocument(values, 'yaml'), json: stringifyExactJson(values) });
  const output = execFileSync(python, ['-c', COMPARE], {
    input,
    env: { ...process.env, ...(pythonPath === '' ? {} : { PYTHONPATH: pythonPath }), PYTHONDONTWRITEBYTECODE: '1' },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(output);
}

const { EXTREG_TEST_PYTHON_MISSING: missing = '' } = process.env;

unless(missing === '' ? null : missing, test)(
  'PyYAML: every text and number that is exported is loaded as it was',
  async (t) => {
    const numbers = [
      ...['-0', '-0.0', '1e21', '1E+21', '1.5e-7', '5e-324', '1.7976931348623157e308', '0.12345678901234567'],
      ...[
        '12345678901234567890',
        '9007199254740993',
        '1234567890123456789012345.5',
        '0.10',
        '100',
        `1${'0'.repeat(400)}`,
      ],
    ].map((text) => new ExactNumber(text));
    const chars = everyCharacter();
    const values: Json[] = [
      ...TEXTS_THAT_LOOK_LIKE_MORE.map((text) => ({ [text]: [text, { a: text }] })),
      ...numbers,
      ...[-0, 1e21, 1e-7, 123456789.125, 2 ** 53, true, null],
      ...Array.from({ length: Math.ceil(chars.length / 64) }, (_, i) => chars.slice(i * 64, i * 64 + 64).join('')),
      ...fc.sample(hostileTexts, propertyRuns(200, 20_000)).map((text) => ({ [text]: text })),
      ...fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), propertyRuns(100, 10_000)),
    ];
    t.deepEqual(await differences(values), { compared: values.length, differ: [] });
  },
);

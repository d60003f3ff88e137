// What routing costs: the pick of an instance by each balancer, and the choice of a version, beside what could be done in its place, in the same run.
// Writes its section of bench/RESULTS.md. Options: --rounds N, --turn-ms N, --no-write.
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { CHOICES, choiceRows, fromRows, fromTable } from './choice-rows.js';
import { HASH_ROW, PICKERS, pickRow, pickRows, SIZES } from './pick-rows.js';
import { machine, nanoseconds, packageVersion, table, writeSection } from './results-file.js';
import { ROUTED_CALLS, routedCalls } from './routed-call-rows.js';
import { measure } from './turns.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    'turn-ms': { type: 'string', default: '8' },
    'no-write': { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const turnMs = Number(values['turn-ms']);

const loadBefore = loadavg()[0] ?? 0;
const calls = routedCalls();
const costs = await measure([...pickRows(), ...choiceRows(), ...calls.rows], rounds, turnMs);
await calls.stop();
const ns = (name: string): string => nanoseconds(costs.get(name));

const section = `## Routing

Written by \`npm run bench:routing\`.

- Machine: ${machine()}
- Node ${process.version}, ${packageVersion('murmurhash')}
- ${rounds} rounds, each row ${turnMs} ms in each, all rows taking turns in one process; the lower quartile counts
- Load average of the machine before the start: ${loadBefore.toFixed(1)}

The pick of one of so many instances, nanoseconds of processor time:

${table(
  ['instances', ...PICKERS],
  SIZES.map((size) => [String(size), ...PICKERS.map((picker) => ns(pickRow(picker, size)))]),
)}
Once per call, where anything is picked by key, nanoseconds of processor time:

${table(['step', 'ns'], [[HASH_ROW, ns(HASH_ROW)]])}
The version that a call asks for, nanoseconds of processor time:

${table(
  ['versions', 'from the table, made once per change', 'from the rows, at each call'],
  CHOICES.map((shape) => [shape, ns(fromTable(shape)), shape === 'a rollout of 2' ? '-' : ns(fromRows(shape))]),
)}
A call from the intake's hand to its answer, without any message, nanoseconds of processor time:

${table(
  ['registry', 'ns'],
  ROUTED_CALLS.map((name) => [name, ns(name)]),
)}
### What is measured

- Processor time of the process, as for the breaker.
- Instances have weights from 10 to 100 and some calls in flight each; all are in rotation, none rests, none was tried
  before. Each balancer looks at all of that for every instance.
- Beside them: a draw by chance and weight that looks at nothing, and a rendezvous without weights that hashes the text of
  the key and of each instance for each call. By key, \`consistent_hash\` needs the hash of the key besides.
- The version: 64 tenants take turns, most of which no rule names; the context is a map. A rollout hashes the tenant, which is
  most of what it costs. From the rows: rules are read, matched and put in order for each call.
- The call: admission, choice, candidates, instance, settlement and counts; the clock is read twice. The context is a function
  that knows the tenant: reading it from headers is the intake's.
`;
console.log(section);
if (!values['no-write']) writeSection('routing', section);

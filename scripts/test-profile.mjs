// `npm run test:profile`: what each test file and each group of them costs, as tables; written to test/profile.json, which the order of
// the next runs is taken from.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { columns } from './terminal.mjs';
import { dearestFiles, totalOf } from './test-budget.mjs';

const GROUP_WIDTH = 12;
const PROGRAMS = ['node', 'nats-server', 'postgres', 'initdb', 'bash'];

/** Programs as they are named in the tables; the kernel keeps 15 characters of a name. */
const programOf = (name) => (name === 'MainThread' ? 'node' : name);

/**
 * @param {object} run
 * @param {Map<string, number>} run.seconds processor time by test file
 * @param {Map<string, number>} run.wallByFile seconds by test file
 * @param {Map<string, Map<string, number>>} run.processes by test file and program
 * @param {Map<string, number>} run.tests number of tests by test file
 */
export function profileOf({ seconds, wallByFile, processes, tests }) {
  const files = dearestFiles(seconds).map(([file, cpu]) => ({
    file,
    tests: tests.get(file) ?? 0,
    cpu_s: round(cpu),
    wall_s: round(wallByFile.get(file) ?? 0),
    started: startedOf(processes.get(file)),
  }));
  return { total_cpu_s: round(totalOf(seconds)), files };
}

function startedOf(programs = new Map()) {
  const started = {};
  for (const [name, count] of programs) started[programOf(name)] = (started[programOf(name)] ?? 0) + count;
  return started;
}

/** A line per group (folder below test/) and one for all. */
export function groupLines({ total_cpu_s, files }) {
  const groups = Map.groupBy ? Map.groupBy(files, groupOf) : groupBy(files, groupOf);
  const rows = [...groups]
    .map(([group, members]) => [group, members, sum(members, ({ cpu_s }) => cpu_s)])
    .sort(([, , a], [, , b]) => b - a)
    .map(([group, members, cpu]) => line(group, members, cpu));
  return [
    `${'group'.padEnd(GROUP_WIDTH)} ${columns(['files', 'tests', 'CPU s', ...PROGRAMS], [5, 6, 8, 6, 11, 8, 6, 5])}`,
    ...rows,
    line('all', files, total_cpu_s),
  ];
}

const groupOf = ({ file }) => file.split('/').slice(1, -1)[0] ?? '-';

function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

function line(group, members, cpu) {
  const started = PROGRAMS.map((program) => sum(members, (one) => one.started[program] ?? 0));
  const cells = [members.length, sum(members, ({ tests }) => tests), cpu.toFixed(1), ...started];
  return `${group.padEnd(GROUP_WIDTH)} ${columns(cells, [5, 6, 8, 6, 11, 8, 6, 5])}`;
}

/** A line per file. */
export const fileLines = ({ files }) =>
  files.map(
    ({ file, tests, cpu_s, wall_s }) => `${columns([cpu_s.toFixed(1), wall_s.toFixed(1), tests], [7, 7, 5])}  ${file}`,
  );

export function writeProfile(profile, root) {
  writeFileSync(join(root, 'test', 'profile.json'), `${JSON.stringify(profile, null, 2)}\n`);
}

const sum = (items, of) => items.reduce((total, item) => total + of(item), 0);
const round = (seconds) => Math.round(seconds * 10) / 10;

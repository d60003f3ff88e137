// `extreg fleet`: the replicas of the fleet, as GET /admin/fleet says.

import { Command } from '#commander';
import type { FleetAnswer, ReplicaRow } from '../../domain/fleet/fleet-answer.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { countText, json, textTable } from '../output/output.js';
import { type Style, styleOf } from '../output/style.js';

type FleetOptions = OutputOptions & DaemonOptions;

export const fleetCommand: CommandFactory = (io) => ({
  command: addExamples(new Command('fleet').option('--json', 'print JSON'), 'extreg fleet', 'extreg fleet --json'),
  settings: 'http',
  action: async (options: FleetOptions) => {
    const daemon = await DaemonClient.of(io, options);
    const fleet = await daemon.json<FleetAnswer>('/admin/fleet');
    io.stdout.write(options.json ? json(fleet) : fleetText(fleet, styleOf(io, options)));
  },
});

const HEADER = [
  'REPLICA',
  'STATE',
  'VERSION',
  'HOST',
  'PID',
  'UP',
  'REVISION',
  'BEHIND',
  'CALLS/S',
  'IN FLIGHT',
  'LAG',
];
const NUMBERS = ['PID', 'UP', 'REVISION', 'BEHIND', 'CALLS/S', 'IN FLIGHT', 'LAG'];

function fleetText({ scope, reason, since, replicas }: FleetAnswer, style: Style): string {
  const live = countText(replicas.filter((one) => one.live).length, 'live replica');
  const head = `${live}; scope ${scope} (${reason}) since ${since}\n`;
  return head + textTable(HEADER, replicas.map(rowOf), style, NUMBERS);
}

function rowOf(one: ReplicaRow): string[] {
  const state = one.draining ? 'draining' : 'live';
  return [
    one.self ? `${one.id} (asked)` : one.id,
    state,
    one.version,
    one.host,
    String(one.pid),
    `${one.up_s} s`,
    one.revision === null ? '-' : String(one.revision),
    one.behind === null ? '-' : String(one.behind),
    String(one.rps),
    String(one.in_flight),
    `${one.lag_ms} ms`,
  ];
}

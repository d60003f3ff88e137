// Several memberships on one simulated clock, over a network that loses, repeats and delays what the test says.
import { Membership } from '../../../src/actors/fleet/membership.js';
import type { FleetListener, FleetMessage, FleetPort, OwnFacts } from '../../../src/actors/ports/fleet.js';
import { type Heartbeat, heartbeatText, readHeartbeat } from '../../../src/domain/fleet/heartbeat.js';
import { incarnationOf } from '../../domain/fleet/heartbeats.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';
import { type LogLine, recordingLogger } from '../../nats/wire-rig.js';

interface Sent {
  readonly from: string;
  readonly message: FleetMessage;
  readonly heartbeat: Heartbeat;
  readonly atMs: number;
}

export class Network {
  readonly clock = new SimulatedClock();
  readonly sent: Sent[] = [];
  /** How long each copy of a message takes to each replica, ms; none: it is lost. */
  delays: (from: string, to: string) => readonly number[] = () => [1];
  readonly #ports = new Set<MemoryPort>();
  #incarnations = 0;

  add(port: MemoryPort): void {
    this.#ports.add(port);
  }

  publish(from: MemoryPort, message: FleetMessage, heartbeat: Heartbeat): void {
    this.sent.push({ from: from.name, message, heartbeat, atMs: this.clock.now() });
    const body = Buffer.from(heartbeatText(heartbeat));
    for (const to of this.#ports)
      for (const delay of from === to ? [1] : this.delays(from.name, to.name))
        this.clock.setTimeout(() => {
          const read = readHeartbeat(body);
          if (read !== null && from.problem === null) to.deliver(message, read);
        }, delay);
  }

  /** Since `sinceMs`, by kind. */
  sentBy(name: string, sinceMs = 0): FleetMessage[] {
    return this.sent.filter(({ from, atMs }) => from === name && atMs >= sinceMs).map(({ message }) => message);
  }

  start(
    name: string,
    { id = name, incarnation = incarnationOf(++this.#incarnations), isConnected = true } = {},
  ): Replica {
    const port = new MemoryPort(name, this);
    if (!isConnected) port.problem = 'not_connected';
    return new Replica(name, id, incarnation, port, this.clock);
  }
}

export class MemoryPort implements FleetPort {
  problem: FleetPort['problem'] = null;
  dropped = 0;
  isClosed = false;
  #listener: FleetListener | null = null;

  constructor(
    readonly name: string,
    readonly network: Network,
  ) {}

  listen(listener: FleetListener): void {
    this.#listener = listener;
    this.network.add(this);
    if (this.problem === null) this.network.clock.setTimeout(() => listener.connected(), 1);
  }

  publish(message: FleetMessage, heartbeat: Heartbeat): void {
    if (this.problem === null) this.network.publish(this, message, heartbeat);
  }

  deliver(message: FleetMessage, heartbeat: Heartbeat): void {
    if (this.problem === null && !this.isClosed) this.#listener?.heard(message, heartbeat);
  }

  disconnect(): void {
    this.problem = 'not_connected';
  }

  connect(): void {
    this.problem = null;
    this.#listener?.connected();
  }

  close(): void {
    this.isClosed = true;
  }
}

export class Replica {
  readonly membership: Membership;
  readonly lines: readonly LogLine[];
  facts: OwnFacts = { http: 'http://127.0.0.1:1', revision: 1, targets: 0, calls: 0, inFlight: 0, lagMs: 0 };

  constructor(
    readonly name: string,
    id: string,
    readonly incarnation: string,
    readonly port: MemoryPort,
    clock: SimulatedClock,
  ) {
    const { log, lines } = recordingLogger();
    this.lines = lines;
    this.membership = new Membership({
      port,
      id,
      incarnation,
      version: '1.0.0',
      host: 'host',
      pid: 1,
      clock,
      wall: () => 1_000_000 + clock.now(),
      log,
    });
    this.membership.start(() => this.facts);
  }

  /** It is gone without a word. */
  kill(): void {
    this.port.problem = 'not_connected';
    this.membership.stop();
  }

  events(event: string): LogLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** Names of the live, itself included. */
  get live(): string[] {
    return this.membership
      .answer()
      .replicas.filter(({ live }) => live)
      .map(({ id }) => id);
  }
}

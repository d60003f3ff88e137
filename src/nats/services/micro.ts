// NATS micro discovery (ADR-32): the daemon answers PING, INFO and STATS, so that `nats micro ls|info|stats` shows it.
//
// MICRO-1. A request with a reply subject that we do not publish to is ignored, as in the intake.
import type { BrokerSubscription } from '../connection/broker-subscription.js';
import type { BrokerConnection } from '../connection/connection.js';
import type { IntakeCounts } from '../intake/intake.js';
import type { BrokerMessage } from '../wire/message.js';
import { acceptsReplyTo, microSubjects, QUEUE_GROUP, type Subjects } from '../wire/subjects.js';

export const SERVICE_NAME = 'extreg';
const TYPE_PREFIX = 'io.nats.micro.v1';
const NANOSECONDS_PER_MS = 1_000_000;

interface MicroSettings {
  /** One token, unique in the fleet. */
  readonly id: string;
  /** Of the daemon, semantic. */
  readonly version: string;
  readonly replyPrefixes: readonly string[];
  /** ISO 8601, wall clock. */
  readonly startedAt: string;
  readonly counts: () => IntakeCounts;
}

export class MicroService {
  readonly #subscriptions: BrokerSubscription[] = [];
  readonly #identity: Readonly<Record<string, unknown>>;

  constructor(
    private readonly connection: BrokerConnection,
    private readonly subjects: Subjects,
    private readonly settings: MicroSettings,
  ) {
    this.#identity = { name: SERVICE_NAME, id: settings.id, version: settings.version, metadata: {} };
    this.#answer('PING', () => ({ ...this.#identity, type: `${TYPE_PREFIX}.ping_response` }));
    this.#answer('INFO', () => this.#info());
    this.#answer('STATS', () => this.#stats());
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  #answer(verb: 'PING' | 'INFO' | 'STATS', body: () => object): void {
    const reply = ({ reply: to }: BrokerMessage): void => {
      if (!acceptsReplyTo(to, this.settings.replyPrefixes)) return;
      this.connection.publish(to, '', '', Buffer.from(JSON.stringify(body())));
    };
    for (const subject of microSubjects(verb, SERVICE_NAME, this.settings.id))
      this.#subscriptions.push(this.connection.subscribe(subject, null, reply));
  }

  #endpoint(): object {
    return { name: 'invoke', subject: this.subjects.invokeAll, queue_group: QUEUE_GROUP };
  }

  #info(): object {
    return {
      ...this.#identity,
      type: `${TYPE_PREFIX}.info_response`,
      description: 'Extension Registry: calls extensions through circuit breakers',
      endpoints: [{ ...this.#endpoint(), metadata: {} }],
    };
  }

  #stats(): object {
    const { accepted, inFlight, refused, processingMs } = this.settings.counts();
    const answered = accepted - inFlight;
    const processingNs = Math.round(processingMs * NANOSECONDS_PER_MS);
    const errors = [...refused.values()].reduce((sum, count) => sum + count, 0);
    return {
      ...this.#identity,
      type: `${TYPE_PREFIX}.stats_response`,
      started: this.settings.startedAt,
      endpoints: [
        {
          ...this.#endpoint(),
          num_requests: accepted,
          num_errors: errors,
          last_error: '',
          processing_time: processingNs,
          average_processing_time: answered === 0 ? 0 : Math.round(processingNs / answered),
          data: { refused: Object.fromEntries(refused) },
        },
      ],
    };
  }
}

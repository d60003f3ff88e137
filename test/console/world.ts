// A registry with traffic, as the console shows it: extensions that work, and some that do whatever a test wants.

import { headers, type NatsConnection } from '#@nats-io/nats-core';
import type postgres from '#postgres';
import { invoke } from '../helpers/daemon-process.js';
import { startExtension } from '../helpers/nats-server.js';

const TYPES = ['pre', 'validator', 'post', 'provider'] as const;
const NAMES = [
  ...['pii_guard', 'mask_pii', 'normalize_text', 'detect_language', 'translate', 'summarize', 'classify_topic'],
  ...['toxicity', 'spell_check', 'expand_urls', 'resolve_entities', 'geo_tag', 'currency_rates', 'tax_rules'],
  ...['fraud_score', 'address_check', 'phone_format', 'strip_html', 'render_markdown', 'embed_text', 'rank_results'],
  ...['dedupe', 'redact_secrets', 'sign_payload', 'audit_copy', 'shorten', 'emoji_map', 'watermark', 'ocr'],
];

/** The ids of all of them; the first is the one that most tests are about. */
export const EXTENSIONS: readonly string[] = NAMES;

export async function seed(sql: postgres.Sql, names: readonly string[] = NAMES): Promise<void> {
  const rows = names.map((id, i) => ({ id, type: TYPES[i % TYPES.length] ?? 'pre', subject: `world.${id}` }));
  await sql`insert into extensions ${sql(rows, 'id', 'type', 'subject')}`;
}

/** `classify_topic` with three versions and two instances. */
export async function seedVersions(sql: postgres.Sql): Promise<void> {
  await sql`insert into extension_versions (id, version, subject, routing_rules, rollout_percent) values
    ('classify_topic', 'v1', 'world.classify_topic', '{}', null),
    ('classify_topic', 'v2', 'world.classify_topic', '{"tenant_id": "acme"}', null),
    ('classify_topic', 'v3', 'world.classify_topic', '{}', 10)`;
  await sql`insert into extension_instances (extension_id, instance_id, subject, weight) values
    ('classify_topic', 'eu-1', 'world.classify_a', 60), ('classify_topic', 'eu-2', 'world.classify_b', 40)`;
}

const MANY = 400;

/** MANY more, `many_00001` and so on: more than a screen shows. */
export async function seedMany(sql: postgres.Sql): Promise<void> {
  await sql`insert into extensions (id, type, subject)
    select 'many_' || lpad(n::text, 5, '0'), 'provider', 'world.many' from generate_series(1, ${MANY}) n`;
}

/** Answers for every extension of the world. */
export class World {
  /** Extensions whose calls fail at present. */
  readonly failing = new Set<string>();

  constructor(private readonly nc: NatsConnection) {}

  async start(): Promise<void> {
    await startExtension(this.nc, 'world.*', ({ subject }) => {
      const id = subject.split('.')[1] ?? '';
      if (!this.failing.has(id)) return { body: `{"answer":"of ${id}"}` };
      const failure = headers();
      failure.set('Nats-Service-Error-Code', '500');
      failure.set('Nats-Service-Error', 'the model is not loaded');
      return { headers: failure };
    });
  }

  /** What each call was refused or failed with; '' of those that were answered. */
  async call(id: string, times = 1): Promise<string[]> {
    const answers: string[] = [];
    for (let i = 0; i < times; i++) answers.push((await invoke(this.nc, id)).error);
    return answers;
  }

  /** Fails until its breaker opens. */
  async trip(id: string): Promise<void> {
    this.failing.add(id);
    await this.call(id, 6);
  }
}

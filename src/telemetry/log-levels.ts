// The levels of the log and its components, in a separate file: code that only has to name them loads no logger.

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a line names in `component`; `daemon` stands for lines that name none. */
export const LOG_COMPONENTS = [
  'access',
  'admin',
  'aggregate',
  'audit',
  'auto_manager',
  'board',
  'daemon',
  'db',
  'fleet',
  'health_writer',
  'http',
  'inspector',
  'instance_status',
  'instances',
  'intake',
  'nats',
  'nats_server',
  'operator',
  'prober',
  'reload',
  'rollout',
  'router',
  'rows',
  'service',
  'supervisor',
  'ticks',
  'traces',
  'webhooks',
] as const;
export type LogComponent = (typeof LOG_COMPONENTS)[number];

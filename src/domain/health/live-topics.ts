// What a stream of live updates may carry.

export const LIVE_TOPICS = ['rows', 'summary', 'daemon', 'events'] as const;
export type LiveTopic = (typeof LIVE_TOPICS)[number];

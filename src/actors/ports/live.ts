// Live updates of the board and of events, as an edge that sends them needs them. Types alone.
import type { LiveTopic } from '../../domain/health/live-topics.js';
import type { EventKind } from '../../domain/registry/events.js';

/** Where one stream goes. */
export interface LiveSink {
  /** Bytes that the client has not taken. */
  readonly waitingBytes: number;
  /** `data`: JSON on one line. `id`: what a client resumes after. */
  send(event: string, data: string, id?: string): void;
  /** Shows that the connection lives. */
  ping(): void;
  /** Nothing is sent afterwards. */
  end(): void;
}

export interface LiveRequest {
  readonly topics: ReadonlySet<LiveTopic>;
  /** Of events; null: all. */
  readonly kinds: ReadonlySet<EventKind> | null;
  /** Rows and events of this extension alone; null: of all. */
  readonly extensionId: string | null;
  /** The last event that the client has, `<boot>-<n>`; null: it has none. */
  readonly lastEventId: string | null;
  readonly role: string;
  /** Whose token it is; null: none was asked for. */
  readonly principal: string | null;
  /** False once that token was revoked or has expired; asked once a second. */
  readonly isValid: () => boolean;
}

/** Why a stream is ended by the daemon. */
export type ByeReason = 'stopping' | 'slow' | 'unauthenticated';

export interface LiveSource {
  /** Returns what to call when the client is gone, or why there is no stream for it. */
  open(
    request: LiveRequest,
    sink: LiveSink,
  ): (() => void) | 'too_many_streams' | 'too_many_streams_of_token' | 'stopping';
  /** Ends every stream, and opens no other. */
  stop(): void;
}

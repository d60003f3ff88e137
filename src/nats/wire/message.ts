// A message from the server, as every subscription of the daemon gets it.
//
// MESSAGE-1. The reply subject has one character per byte (latin1), so that it survives byte for byte. The subject is read as UTF-8.

import type { HeaderBlock } from './header-block.js';

export interface BrokerMessage {
  readonly subject: string;
  /** '' without one. */
  readonly reply: string;
  /** Subject and reply are printable ASCII without blanks and wildcards; false: they may be. */
  readonly isPlain: boolean;
  /** Empty without headers. */
  readonly block: HeaderBlock;
  /** A view of what was read from the socket, which it keeps in memory: what is kept for long is copied. */
  readonly body: Uint8Array;
}

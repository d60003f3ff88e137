// An extension's answer on its way through the daemon: its body as it came, and what was read of its headers.
import type { Reply } from '../../actors/ports/transport.js';
import type { ReplyHeaders } from './reply-headers.js';

export class ExtensionReply implements Reply {
  constructor(
    readonly headers: ReplyHeaders,
    readonly body: Uint8Array,
  ) {}

  get forwardedHeaders(): string {
    return this.headers.forwarded;
  }

  get serviceErrorCode(): number {
    return this.headers.serviceErrorCode;
  }

  get serviceError(): string {
    return this.headers.serviceError;
  }

  get retryAfterMs(): number | null {
    return this.headers.retryAfterMs;
  }
}

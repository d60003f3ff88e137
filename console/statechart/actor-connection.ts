// A WebSocket of the inspection that is kept open: a ticket for each attempt, and attempts that grow apart.
//
// ACTOR-CONNECTION-1. Each attempt asks for a ticket of its own: one opens a socket once.
// ACTOR-CONNECTION-2. The time between attempts doubles from MIN_MS to MAX_MS, with full jitter, and begins anew after a socket has sent something.
// ACTOR-CONNECTION-3. What another attempt cannot change is not tried again: a wrong address, a session that ended. An unknown target may still come.

export type ConnectionState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** `sinceMs`: when it was lost; `retryAtMs`: when it is tried again. Both of the reader's clock. */
  | { readonly kind: 'lost'; readonly why: string; readonly sinceMs: number; readonly retryAtMs: number }
  | { readonly kind: 'unknown'; readonly why: string }
  | { readonly kind: 'signed_out' }
  | { readonly kind: 'refused'; readonly why: string };

/** As far as one is used of a browser's WebSocket. */
export interface SocketLike {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  close(): void;
}

/** No ticket was given. `status` 401: the page is not signed in. */
export interface TicketProblem {
  readonly status: number;
  readonly detail: string;
}

interface ConnectionDeps {
  readonly ticket: () => Promise<string | TicketProblem>;
  /** Opens a socket with this ticket. */
  readonly open: (ticket: string) => SocketLike;
  readonly onFrame: (text: string) => void;
  readonly onState: (state: ConnectionState) => void;
  readonly now: () => number;
  /** 0..1. */
  readonly random: () => number;
  /** Returns what cancels it. */
  readonly later: (run: () => void, ms: number) => () => void;
}

const MIN_MS = 500;
const MAX_MS = 10_000;
const CLOSE = { invalidTicket: 4401, notFound: 4404, badRequest: 4400 } as const;
const NOT_CONNECTED = 'the daemon does not answer';

export class Connection {
  readonly #deps: ConnectionDeps;
  #socket: SocketLike | null = null;
  #cancel: () => void = () => undefined;
  #failures = 0;
  #lostSinceMs: number | null = null;
  #isEnded = false;
  /** Of the attempt that is under way: results of older ones are dropped. */
  #attempt = 0;

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
    void this.#try();
  }

  /** Now, whatever the time until the next attempt. */
  retry(): void {
    if (this.#isEnded || this.#socket !== null) return;
    this.#cancel();
    void this.#try();
  }

  end(): void {
    this.#isEnded = true;
    this.#cancel();
    this.#drop();
  }

  async #try(): Promise<void> {
    const attempt = ++this.#attempt;
    const { ticket, onState } = this.#deps;
    if (this.#lostSinceMs === null) onState({ kind: 'connecting' });
    const given = await ticket().catch((error: Error): TicketProblem => ({ status: 0, detail: error.message }));
    if (this.#isEnded || attempt !== this.#attempt) return;
    if (typeof given === 'string') this.#open(given);
    // ACTOR-CONNECTION-3.
    else if (given.status === 401) onState({ kind: 'signed_out' });
    else this.#lost(given.detail);
  }

  #open(ticket: string): void {
    const { open, onFrame, onState } = this.#deps;
    let socket: SocketLike;
    try {
      socket = open(ticket);
    } catch (error) {
      // A browser may refuse the address: without this, no attempt would follow.
      return this.#lost((error as Error).message);
    }
    this.#socket = socket;
    let isLive = false;
    socket.onmessage = ({ data }) => {
      if (!isLive) {
        isLive = true;
        this.#failures = 0;
        this.#lostSinceMs = null;
        onState({ kind: 'live' });
      }
      onFrame(String(data));
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.#drop();
      this.#closed(code, reason);
    };
  }

  #closed(code: number, reason: string): void {
    const { onState } = this.#deps;
    if (code === CLOSE.badRequest) return onState({ kind: 'refused', why: reason });
    // A token that was revoked gives no ticket: the next attempt shows it.
    if (code === CLOSE.invalidTicket) return this.#lost(reason);
    if (code !== CLOSE.notFound) return this.#lost(reason === '' ? NOT_CONNECTED : reason);
    this.#failures = Number.POSITIVE_INFINITY;
    this.#later();
    onState({ kind: 'unknown', why: reason });
  }

  #lost(why: string): void {
    this.#lostSinceMs ??= this.#deps.now();
    const retryAtMs = this.#later();
    this.#deps.onState({ kind: 'lost', why, sinceMs: this.#lostSinceMs, retryAtMs });
  }

  /** ACTOR-CONNECTION-2. Returns when. */
  #later(): number {
    const { later, now, random } = this.#deps;
    const waitMs = random() * Math.min(MIN_MS * 2 ** this.#failures++, MAX_MS);
    this.#cancel = later(() => void this.#try(), waitMs);
    return now() + waitMs;
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }
}

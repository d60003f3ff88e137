// Round trips to the server: when one is over, everything published before it has reached the server, and everything that the
// server had for us by then has been taken in.
//
// ROUND-TRIPS-1. One round trip is in flight at a time; all that ask meanwhile share the next. Each ends: with the server's answer, or
//     with the connection.
type End = (completed: boolean) => void;

export class RoundTrips {
  /** Those that wait for the round trip in flight, and for the one after it. */
  #current: End[] = [];
  #next: End[] = [];

  /** `send`: makes one round trip on the present connection; a rejection means that the connection is lost. */
  constructor(private readonly send: () => Promise<unknown>) {}

  /** False: the connection was lost. Never rejects; waits while the server stands still. */
  run(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#next.push(resolve);
      if (this.#current.length === 0) this.#begin();
    });
  }

  /** The connection is lost: all of them end. */
  lose(): void {
    const lost = [...this.#current, ...this.#next];
    this.#current = [];
    this.#next = [];
    for (const end of lost) end(false);
  }

  #begin(): void {
    const current = this.#next;
    this.#current = current;
    this.#next = [];
    this.send().then(
      () => {
        // Of a connection that was lost meanwhile.
        if (this.#current !== current) return;
        this.#current = [];
        if (this.#next.length > 0) this.#begin();
        for (const end of current) end(true);
      },
      // The connection is lost: lose() ends the round trip.
      () => undefined,
    );
  }
}

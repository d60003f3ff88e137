// Work of which one run is in flight at a time: callers that ask meanwhile share it.
export class SingleFlight<T> {
  #current: Promise<T> | null = null;
  #next: Promise<T> | null = null;

  constructor(private readonly work: () => Promise<T>) {}

  run(): Promise<T> {
    this.#current ??= this.work().finally(() => {
      this.#current = null;
    });
    return this.#current;
  }

  /** A run that begins after this call, for callers who must see what happened before it. They share it. */
  runAnew(): Promise<T> {
    if (this.#current === null) return this.run();
    const begin = (): Promise<T> => {
      this.#next = null;
      return this.run();
    };
    this.#next ??= this.#current.then(begin, begin);
    return this.#next;
  }
}

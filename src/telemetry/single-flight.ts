// Work of which one run is in flight at a time: callers that ask meanwhile share it.
export class SingleFlight<T> {
  #current: Promise<T> | null = null;

  constructor(private readonly work: () => Promise<T>) {}

  run(): Promise<T> {
    this.#current ??= this.work().finally(() => {
      this.#current = null;
    });
    return this.#current;
  }
}

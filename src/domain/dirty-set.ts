// What has changed since each of its readers last took it.
//
// DIRTY-SET-1. To mark an item that every reader has queued already costs one comparison, and likewise while there is no reader.
// DIRTY-SET-2. Each reader gets every item once that was marked since it took that item last, in the order of the marks.

export interface Markable {
  /** A bit for each reader that has it queued. Only a dirty set writes it. */
  dirtyFor: number;
}

const MAX_READERS = 31;

export class DirtySet<T extends Markable> {
  readonly #readers: (DirtyReader<T> | undefined)[] = [];
  /** A bit for each reader. */
  #all = 0;

  mark(item: T): void {
    // DIRTY-SET-1.
    if ((item.dirtyFor & this.#all) === this.#all) return;
    for (const reader of this.#readers) if (reader !== undefined) reader.queue(item);
  }

  /** Gets what is marked from now on, until it is closed. At most 31 at a time. */
  read(): DirtyReader<T> {
    let index = this.#readers.indexOf(undefined);
    if (index === -1) index = this.#readers.length;
    if (index === MAX_READERS) throw new RangeError(`a dirty set has at most ${MAX_READERS} readers`);
    const bit = 1 << index;
    const reader = new DirtyReader<T>(bit, () => {
      this.#readers[index] = undefined;
      this.#all &= ~bit;
    });
    this.#readers[index] = reader;
    this.#all |= bit;
    return reader;
  }
}

export class DirtyReader<T extends Markable> {
  /** In two halves, so that taking the first costs no more than taking the last. */
  #queued: T[] = [];
  #taken: T[] = [];

  constructor(
    private readonly bit: number,
    private readonly onClosed: () => void,
  ) {}

  get size(): number {
    return this.#queued.length + this.#taken.length;
  }

  queue(item: T): void {
    if ((item.dirtyFor & this.bit) !== 0) return;
    item.dirtyFor |= this.bit;
    this.#queued.push(item);
  }

  /** DIRTY-SET-2. undefined: nothing is dirty. */
  take(): T | undefined {
    if (this.#taken.length === 0) {
      this.#taken = this.#queued.reverse();
      this.#queued = [];
    }
    const item = this.#taken.pop();
    if (item !== undefined) item.dirtyFor &= ~this.bit;
    return item;
  }

  /** Another reader may get its bit: no item must keep it. */
  close(): void {
    for (const item of [...this.#queued, ...this.#taken]) item.dirtyFor &= ~this.bit;
    this.#queued = [];
    this.#taken = [];
    this.onClosed();
  }
}

// Items in the order in which they were last used. The items are the links: no operation costs more the more there are, which an ordered set does not
// give, whose first item is found behind all that were deleted before it.

export interface Recent<T> {
  older: T | null;
  newer: T | null;
  isListed: boolean;
}

export class RecencyList<T extends Recent<T>> {
  #oldest: T | null = null;
  #newest: T | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get oldest(): T | null {
    return this.#oldest;
  }

  /** It is the newest from now on. */
  use(item: T): void {
    if (item === this.#newest) return;
    this.delete(item);
    item.older = this.#newest;
    if (this.#newest === null) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
    item.isListed = true;
    this.#size++;
  }

  delete(item: T): void {
    if (!item.isListed) return;
    const { older, newer } = item;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    item.older = null;
    item.newer = null;
    item.isListed = false;
    this.#size--;
  }
}

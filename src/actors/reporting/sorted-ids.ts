// Ids in order of their code units, kept in order as they come and go.

export class SortedIds {
  readonly #ids: string[] = [];

  get size(): number {
    return this.#ids.length;
  }

  /** The list itself: it changes with the next id. */
  get all(): readonly string[] {
    return this.#ids;
  }

  /** In order, also over turns in which ids come and go: one that stays comes once. `after`: behind this one, whether it is there or not. */
  *each(after: string | null = null): Generator<string> {
    let at = after === null ? 0 : this.#firstAfter(after);
    for (let id = this.#ids[at]; id !== undefined; id = this.#ids[at]) {
      yield id;
      at = this.#ids[at] === id ? at + 1 : this.#firstAfter(id);
    }
  }

  add(id: string): void {
    const last = this.#ids.at(-1);
    // The registry is read in this order.
    if (last === undefined || last < id) {
      this.#ids.push(id);
      return;
    }
    const at = this.#firstNotBefore(id);
    if (this.#ids[at] !== id) this.#ids.splice(at, 0, id);
  }

  remove(id: string): void {
    const at = this.#firstNotBefore(id);
    if (this.#ids[at] === id) this.#ids.splice(at, 1);
  }

  #firstAfter(id: string): number {
    const at = this.#firstNotBefore(id);
    return this.#ids[at] === id ? at + 1 : at;
  }

  #firstNotBefore(id: string): number {
    let first = 0;
    let last = this.#ids.length;
    while (first < last) {
      const middle = (first + last) >> 1;
      if ((this.#ids[middle] as string) < id) first = middle + 1;
      else last = middle;
    }
    return first;
  }
}

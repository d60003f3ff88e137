// What has to be looked at again at a certain time although nothing happens to it.
//
// DUE-SET-1. Adding an item and taking it cost the same however many there are. Taking costs nothing while nothing is due.
// DUE-SET-2. An item is in it once, at the earliest time that it was added for, to the second, never before it.

const SECOND_MS = 1000;

export class DueSet<T> {
  /** By the second, of the same clock as the times. */
  readonly #bySecond = new Map<number, Set<T>>();
  readonly #secondOf = new Map<T, number>();
  /** No item is due before. */
  #earliest = Number.POSITIVE_INFINITY;
  /** DUE-SET-1. How far the items of a second are taken: another walk would meet all that were deleted before. */
  #taking: { readonly second: number; readonly items: Iterator<T> } | null = null;

  get size(): number {
    return this.#secondOf.size;
  }

  /** `atMs`: when it is due, monotonic. */
  add(item: T, atMs: number): void {
    const second = Math.ceil(atMs / SECOND_MS);
    const known = this.#secondOf.get(item);
    if (known !== undefined && known <= second) return;
    if (known !== undefined) this.#bySecond.get(known)?.delete(item);
    this.#secondOf.set(item, second);
    const others = this.#bySecond.get(second);
    if (others === undefined) this.#bySecond.set(second, new Set([item]));
    else others.add(item);
    this.#earliest = Math.min(this.#earliest, second);
  }

  delete(item: T): void {
    const second = this.#secondOf.get(item);
    if (second === undefined) return;
    this.#secondOf.delete(item);
    this.#bySecond.get(second)?.delete(item);
  }

  /** Takes one that is due; undefined: there is none. */
  take(nowMs: number): T | undefined {
    while (this.#earliest * SECOND_MS <= nowMs) {
      const second = this.#earliest;
      if (this.#taking?.second !== second)
        this.#taking = { second, items: (this.#bySecond.get(second) ?? []).values() };
      const { done, value } = this.#taking.items.next();
      if (!done) {
        this.delete(value);
        return value;
      }
      this.#taking = null;
      this.#bySecond.delete(second);
      this.#earliest = Math.min(...this.#bySecond.keys());
    }
    return undefined;
  }
}

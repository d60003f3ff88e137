// Ids in order of their code units, kept in order as they come and go.
//
// SORTED-IDS-1. They lie in blocks of at most MAX_BLOCK: one that comes or goes moves the others of its block, however many there are.

const MAX_BLOCK = 512;

export class SortedIds {
  /** None of them empty. */
  readonly #blocks: string[][] = [];
  #size = 0;

  constructor(private readonly maxBlock = MAX_BLOCK) {}

  get size(): number {
    return this.#size;
  }

  /** In order, also over turns in which ids come and go: one that stays comes once. `after`: behind this one, whether it is there or not. */
  *each(after: string | null = null): Generator<string> {
    let b = after === null ? 0 : this.#blockOf(after);
    let i = after === null ? 0 : firstAfter(this.#blocks[b] ?? [], after);
    for (;;) {
      const block = this.#blocks[b];
      const id = block?.[i];
      if (block === undefined) return;
      if (id === undefined) {
        b++;
        i = 0;
        continue;
      }
      yield id;
      if (this.#blocks[b] === block && block[i] === id) i++;
      else {
        b = this.#blockOf(id);
        i = firstAfter(this.#blocks[b] ?? [], id);
      }
    }
  }

  add(id: string): void {
    const b = this.#blockOf(id);
    const block = this.#blocks[b];
    if (block === undefined) {
      this.#blocks.push([id]);
      this.#size++;
      return;
    }
    const at = firstNotBefore(block, id);
    if (block[at] === id) return;
    this.#size++;
    block.splice(at, 0, id);
    if (block.length <= this.maxBlock) return;
    // The registry is read in this order: what comes behind all others leaves full blocks.
    const isLast = b === this.#blocks.length - 1 && at === block.length - 1;
    this.#blocks.splice(b + 1, 0, block.splice(isLast ? at : this.maxBlock >> 1));
  }

  remove(id: string): void {
    const b = this.#blockOf(id);
    const block = this.#blocks[b] ?? [];
    const at = firstNotBefore(block, id);
    if (block[at] !== id) return;
    this.#size--;
    block.splice(at, 1);
    if (block.length === 0) this.#blocks.splice(b, 1);
  }

  /** The last block that begins at or before this id; 0 if all begin behind it. */
  #blockOf(id: string): number {
    let first = 0;
    let last = this.#blocks.length;
    while (first < last) {
      const middle = (first + last) >> 1;
      if ((this.#blocks[middle]?.[0] as string) <= id) first = middle + 1;
      else last = middle;
    }
    return Math.max(first - 1, 0);
  }
}

function firstAfter(ids: readonly string[], id: string): number {
  const at = firstNotBefore(ids, id);
  return ids[at] === id ? at + 1 : at;
}

function firstNotBefore(ids: readonly string[], id: string): number {
  let first = 0;
  let last = ids.length;
  while (first < last) {
    const middle = (first + last) >> 1;
    if ((ids[middle] as string) < id) first = middle + 1;
    else last = middle;
  }
  return first;
}

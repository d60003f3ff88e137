// A set of places of the board: a bit each.

export class PlaceSet {
  #words = new Uint32Array(32);
  #size = 0;
  /** Place from which the next one is searched for, so that each gets its turn. */
  #from = 0;

  get size(): number {
    return this.#size;
  }

  get byteLength(): number {
    return this.#words.byteLength;
  }

  add(place: number): void {
    const word = place >>> 5;
    if (word >= this.#words.length) {
      const wider = new Uint32Array(Math.max(word + 1, this.#words.length * 2));
      wider.set(this.#words);
      this.#words = wider;
    }
    const bits = this.#words[word] as number;
    const more = (bits | (1 << (place & 31))) >>> 0;
    if (more === bits) return;
    this.#words[word] = more;
    this.#size++;
  }

  /** False: it was not in it. */
  delete(place: number): boolean {
    const word = place >>> 5;
    const bits = this.#words[word] ?? 0;
    const fewer = (bits & ~(1 << (place & 31))) >>> 0;
    if (fewer === bits) return false;
    this.#words[word] = fewer;
    this.#size--;
    return true;
  }

  /** Takes a place out of it, each in its turn; -1: it is empty. */
  take(): number {
    if (this.#size === 0) return -1;
    let word = (this.#from >>> 5) % this.#words.length;
    // Of the first word, what comes before is left for the next time around.
    let bits = ((this.#words[word] as number) & (-1 << (this.#from & 31))) >>> 0;
    while (bits === 0) {
      word = (word + 1) % this.#words.length;
      bits = this.#words[word] as number;
    }
    const place = word * 32 + (31 - Math.clz32(bits & -bits));
    this.#from = place + 1;
    this.delete(place);
    return place;
  }
}

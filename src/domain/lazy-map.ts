// A map and a set that take no memory before something is put into them, and a map that takes little for one entry: an empty one of the
// language takes 200 bytes, and an extension has two dozen, most of which stay empty or get one entry.
//
// LAZY-MAP-1. It does what the language's map does, also for who walks it while it changes.

interface One<K, V> {
  readonly key: K;
  value: V;
}

export class LazyMap<K, V> {
  /** Its entry, if there is one alone and never were more. */
  #one: One<K, V> | null = null;
  #map: Map<K, V> | null = null;

  get size(): number {
    return this.#map?.size ?? (this.#one === null ? 0 : 1);
  }

  get(key: K): V | undefined {
    if (this.#map !== null) return this.#map.get(key);
    const one = this.#one;
    return one !== null && one.key === key ? one.value : undefined;
  }

  has(key: K): boolean {
    return this.#map?.has(key) ?? this.#one?.key === key;
  }

  set(key: K, value: V): this {
    const one = this.#one;
    if (this.#map !== null) this.#map.set(key, value);
    else if (one === null) this.#one = { key, value };
    else if (one.key === key) one.value = value;
    else {
      this.#map = new Map([[one.key, one.value]]).set(key, value);
      this.#one = null;
    }
    return this;
  }

  delete(key: K): boolean {
    if (this.#map !== null) return this.#map.delete(key);
    const isThere = this.#one?.key === key;
    if (isThere) this.#one = null;
    return isThere;
  }

  clear(): void {
    this.#one = null;
    this.#map = null;
  }

  *keys(): IterableIterator<K> {
    for (const [key] of this) yield key;
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this) yield value;
  }

  *[Symbol.iterator](): IterableIterator<[K, V]> {
    const one = this.#one;
    if (one !== null) yield [one.key, one.value];
    // LAZY-MAP-1. Others may have come meanwhile, which may have made a map of it.
    if (this.#map !== null) {
      for (const entry of this.#map) if (one === null || entry[0] !== one.key) yield entry;
    } else if (this.#one !== null && this.#one !== one) yield [this.#one.key, this.#one.value];
  }
}

/** A LazyMap that is read. */
export type Entries<K, V> = Pick<LazyMap<K, V>, 'size' | 'get' | 'has' | 'keys' | 'values' | typeof Symbol.iterator>;

const NO_ITEMS = new Set<never>();

export class LazySet<T> {
  #set: Set<T> | null = null;

  get size(): number {
    return this.#set?.size ?? 0;
  }

  has(item: T): boolean {
    return this.#set?.has(item) ?? false;
  }

  add(item: T): this {
    this.#set ??= new Set();
    this.#set.add(item);
    return this;
  }

  delete(item: T): boolean {
    return this.#set?.delete(item) ?? false;
  }

  clear(): void {
    this.#set = null;
  }

  [Symbol.iterator](): SetIterator<T> {
    return (this.#set ?? (NO_ITEMS as unknown as ReadonlySet<T>))[Symbol.iterator]();
  }
}

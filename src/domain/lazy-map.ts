// A map and a set that take no memory before something is put into them: an empty one of the language takes 200 bytes, and an extension has
// two dozen, most of which stay empty.

const NO_ENTRIES = new Map<never, never>();

export class LazyMap<K, V> {
  #map: Map<K, V> | null = null;

  get size(): number {
    return this.#map?.size ?? 0;
  }

  get(key: K): V | undefined {
    return this.#map?.get(key);
  }

  has(key: K): boolean {
    return this.#map?.has(key) ?? false;
  }

  set(key: K, value: V): this {
    this.#map ??= new Map();
    this.#map.set(key, value);
    return this;
  }

  delete(key: K): boolean {
    return this.#map?.delete(key) ?? false;
  }

  clear(): void {
    this.#map = null;
  }

  /** As it is now; what is put into it first later is not in it. */
  get entries(): ReadonlyMap<K, V> {
    return this.#map ?? (NO_ENTRIES as unknown as ReadonlyMap<K, V>);
  }

  keys(): MapIterator<K> {
    return this.entries.keys();
  }

  values(): MapIterator<V> {
    return this.entries.values();
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries[Symbol.iterator]();
  }
}

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

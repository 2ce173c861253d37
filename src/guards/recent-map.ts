// What is kept of many without knowing how many: whoever was set longest ago is forgotten.

export class RecentMap<Key, Value> extends Map<Key, Value> {
  readonly #most: number;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  /** Makes it the last to be forgotten, whether it was there or not. */
  override set(key: Key, value: Value): this {
    this.delete(key);
    super.set(key, value);
    if (this.size <= this.#most) return this;
    const { value: oldest } = this.keys().next() as IteratorYieldResult<Key>;
    this.delete(oldest);
    return this;
  }
}

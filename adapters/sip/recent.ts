// The last few thousand of something, by name.

const most = 10_000;

export class Recent {
  readonly #names = new Set<string>();

  add(name: string): void {
    this.#names.add(name);
    if (this.#names.size > most) this.#names.delete(this.#names.values().next().value as string);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }
}

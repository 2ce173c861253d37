// What the three people of the demo have in common, whatever network they are on.

export interface Heard {
  /** The sender as this network shows them: what an answer is addressed to. */
  from: string;
  text: string;
}

export interface Told {
  /** What `send` returned for the message it speaks of. */
  of: string;
  state: 'accepted' | 'delivered' | 'displayed' | 'failed';
  /** Why it failed, in the network's words. */
  why?: string;
}

export interface Person {
  readonly name: string;
  readonly network: 'XMPP' | 'SIP' | 'SMS';
  /** As written on their own network. */
  readonly address: string;
  /** Resolves with the message's id once their own network took it; rejects with its words when it did not. */
  send(to: string, text: string): Promise<string>;
  /** Each returns what ends the listening. */
  onMessage(heard: (message: Heard) => void): Unlisten;
  onReceipt(told: (receipt: Told) => void): Unlisten;
  stop(): Promise<void>;
}

export type Unlisten = () => void;

/** A list of listeners; those who come later hear nothing of the past. */
export class Ears<T> {
  readonly #listeners = new Set<(value: T) => void>();

  readonly add = (listener: (value: T) => void): Unlisten => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  tell(value: T): void {
    for (const listener of this.#listeners) listener(value);
  }
}

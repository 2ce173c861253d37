// Several publications of one person as one document (RFC 3903 s.2, RFC 4479 s.3).
import { emptyDocument, type PidfDocument, type PidfEntry } from '../../../../src/formats/pidf/index.ts';

/** The oldest first: of what there can be only one, the last that was published counts. */
export function compose(entity: string, published: readonly PidfDocument[]): PidfDocument {
  const whole = emptyDocument(entity);
  for (const { tuples, person, devices, notes, extensions } of published) {
    whole.tuples.push(...tuples);
    whole.devices.push(...devices);
    whole.extensions.push(...extensions);
    if (Object.keys(notes).length > 0) whole.notes = notes;
    if (person && isLater(person, whole.person)) whole.person = person;
  }
  return whole;
}

/**
 * The document with ids that no other publication uses (RFC 3863 s.4.1.2): phones of one kind give all their tuples the
 * same. The same again for the same others.
 */
export function setApart(document: PidfDocument, others: readonly PidfDocument[]): PidfDocument {
  const taken = new Set(others.flatMap((other) => entriesOf(other).map(({ id }) => id)));
  const apart = <Entry extends PidfEntry>(entry: Entry): Entry => {
    let { id } = entry;
    for (let number = 2; taken.has(id); number++) id = `${entry.id}.${number}`;
    return id === entry.id ? entry : { ...entry, id };
  };
  const { tuples, devices, person } = document;
  const mended = { ...document, tuples: tuples.map(apart), devices: devices.map(apart) };
  return person ? { ...mended, person: apart(person) } : mended;
}

/** Whether both speak of a tuple by the same name. */
export function shareTuple(one: PidfDocument, other: PidfDocument): boolean {
  return one.tuples.some(({ id }) => other.tuples.some((tuple) => tuple.id === id));
}

function entriesOf({ tuples, devices, person }: PidfDocument): PidfEntry[] {
  return [...tuples, ...devices, ...(person ? [person] : [])];
}

function isLater(one: PidfEntry, other: PidfEntry | undefined): boolean {
  return other?.timestamp === undefined || one.timestamp === undefined || one.timestamp >= other.timestamp;
}

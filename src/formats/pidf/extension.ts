// Elements that nobody here understands, as text that stands alone and may be put into another document.
import { parseXml, serializeXml, type XmlElement, XmlError } from '../xml.ts';

const maxLength = 8_192;
/** Equal to no namespace, so that the outermost element always declares its own, the empty one too. */
const nowhere = ' ';

/** `prefixes` are the `xmlns:...` attributes in force where it stands: those that its attributes need go along. */
export function carryExtension(element: XmlElement, prefixes: Readonly<Record<string, string>>): string {
  const text = serializeXml(element, nowhere);
  let attributes = element.attributes;
  for (const declaration in prefixes) {
    const isNeeded = text.includes(` ${declaration.slice('xmlns:'.length)}:`);
    if (isNeeded) attributes = { [declaration]: prefixes[declaration] as string, ...attributes };
  }
  return attributes === element.attributes ? text : serializeXml({ ...element, attributes }, nowhere);
}

/** The same text once it is known to be one whole element of bearable size; else undefined. */
export function checkExtension(text: string): string | undefined {
  if (text.length > maxLength) return undefined;
  try {
    return serializeXml(parseXml(text), nowhere);
  } catch (error) {
    if (error instanceof XmlError) return undefined;
    throw error;
  }
}

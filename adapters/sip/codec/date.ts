// Date (RFC 3261 s.20.17): RFC 1123 in GMT and nothing else.

const form =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2}) GMT$/;

/** Milliseconds since 1970; undefined when it is absent or says another zone: then nobody knows what it means. */
export function parseSipDate(text: string | undefined): number | undefined {
  const match = text === undefined ? null : form.exec(text);
  const at = match ? Date.parse(`${match[1]} GMT`) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

export function formatSipDate(at: number): string {
  return new Date(at).toUTCString();
}

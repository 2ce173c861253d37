// application/x-www-form-urlencoded as octets: what `%hh` stands for is text in a charset that another parameter names.

const maxParameters = 64;

/** The first value of each name. Throws RangeError for a broken escape or too many parameters. */
export function decodeForm(text: string): Map<string, Buffer> {
  const form = new Map<string, Buffer>();
  if (text === '') return form;
  const pairs = text.split('&', maxParameters + 1);
  if (pairs.length > maxParameters) throw new RangeError(`more than ${maxParameters} parameters`);
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = decodeOctets(equals < 0 ? pair : pair.slice(0, equals)).toString();
    if (!form.has(name)) form.set(name, equals < 0 ? Buffer.alloc(0) : decodeOctets(pair.slice(equals + 1)));
  }
  return form;
}

function decodeOctets(text: string): Buffer {
  const octets = Buffer.from(text.replaceAll('+', ' '), 'utf8');
  if (!octets.includes(0x25)) return octets;
  let length = 0;
  for (let at = 0; at < octets.length; at++) {
    let octet = octets[at] as number;
    if (octet === 0x25) {
      const digits = octets.toString('latin1', at + 1, at + 3);
      if (!/^[0-9a-fA-F]{2}$/.test(digits)) throw new RangeError(`%${digits} is no escape`);
      octet = Number.parseInt(digits, 16);
      at += 2;
    }
    octets[length++] = octet;
  }
  return octets.subarray(0, length);
}

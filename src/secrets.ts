// Keeps secrets out of what people and logs read: each is blotted out wherever it stands.

const blot = '[secret]';
// Two letters would blot out half of every line.
const shortest = 4;

/** The text without any of the secrets; `spelt` says how one looks inside it (escaped in JSON, say). */
export function redact(text: string, secrets: readonly string[], spelt = (secret: string) => secret): string {
  return secrets
    .filter(({ length }) => length >= shortest)
    .sort((a, b) => b.length - a.length)
    .reduce((rest, secret) => rest.replaceAll(spelt(secret), blot), text);
}

// Who may see somebody, as a document of presence authorization (RFC 5025, RFC 4745).
import { serializeXml, type XmlElement, xml } from '../../../../src/formats/xml.ts';

export const presRulesType = 'application/auth-policy+xml';

/** URIs of watchers. Nobody is in both. */
export interface Verdicts {
  allow: readonly string[];
  block: readonly string[];
}

const policy = 'urn:ietf:params:xml:ns:common-policy';
const rules = 'urn:ietf:params:xml:ns:pres-rules';

/** Of everybody else the person is asked (`confirm`): of several rules that fit the most generous counts (RFC 4745 s.10.2). */
export function formatPresRules({ allow, block }: Verdicts): string {
  const others = xml('many', policy, {}, ...[...allow, ...block].map((id) => xml('except', policy, { id })));
  const written = [
    ...(allow.length > 0 ? [rule('allowed', allow.map(one), 'allow', ...everything)] : []),
    ...(block.length > 0 ? [rule('blocked', block.map(one), 'block')] : []),
    rule('others', [others], 'confirm'),
  ];
  return `<?xml version="1.0" encoding="UTF-8"?>\n${serializeXml(xml('ruleset', policy, {}, ...written))}\n`;
}

/** RFC 5025 s.3.3: nothing is shown that no permission names. */
const everything = [
  xml('provide-services', rules, {}, xml('all-services', rules)),
  xml('provide-persons', rules, {}, xml('all-persons', rules)),
  xml('provide-devices', rules, {}, xml('all-devices', rules)),
  xml('provide-all-attributes', rules),
];

function rule(id: string, identities: XmlElement[], handling: string, ...transformations: XmlElement[]): XmlElement {
  return xml(
    'rule',
    policy,
    { id },
    xml('conditions', policy, {}, xml('identity', policy, {}, ...identities)),
    xml('actions', policy, {}, xml('sub-handling', rules, {}, handling)),
    xml('transformations', policy, {}, ...transformations),
  );
}

const one = (id: string) => xml('one', policy, { id });

// XEP-0077: the form with which somebody registers, as plain fields and as a data form (XEP-0004), and what is filled in.
import { childOf, childrenOf, textOf, type XmlElement, xml } from '../../../src/formats/xml.ts';
import { ns } from './namespaces.ts';

export interface Filled {
  readonly phone: string;
  readonly password: string;
}

const instructions = 'The telephone number that you were given, and its code.';

/** s.3.1, s.5: for clients that know data forms, and for those that do not. `number`: the one that is registered. */
export function registrationForm(number?: string): XmlElement {
  const plain = (name: string, text = '') => xml(name, ns.register, {}, ...(text === '' ? [] : [text]));
  return xml(
    'query',
    ns.register,
    {},
    number === undefined ? undefined : plain('registered'),
    plain('instructions', instructions),
    plain('phone', number),
    plain('password'),
    xml(
      'x',
      ns.dataForm,
      { type: 'form' },
      xml('title', ns.dataForm, {}, 'SMS'),
      xml('instructions', ns.dataForm, {}, instructions),
      field({ type: 'hidden', var: 'FORM_TYPE' }, ns.register),
      field({ type: 'text-single', var: 'phone', label: 'Number' }, number, true),
      field({ type: 'text-private', var: 'password', label: 'Code' }, undefined, true),
    ),
  );
}

/** `cancel`: the form was given back as it was. Undefined: something is missing. */
export function readRegistration(query: XmlElement): Filled | 'remove' | 'cancel' | undefined {
  if (childOf(query, 'remove', ns.register)) return 'remove';
  const form = childOf(query, 'x', ns.dataForm);
  if (form?.attributes.type === 'cancel') return 'cancel';
  const [phone, password] = ['phone', 'password'].map((name) => (form ? valueIn(form, name) : plainIn(query, name)));
  return phone && password ? { phone, password } : undefined;
}

function field(attributes: Record<string, string>, value: string | undefined, isRequired = false): XmlElement {
  return xml(
    'field',
    ns.dataForm,
    attributes,
    value === undefined ? undefined : xml('value', ns.dataForm, {}, value),
    isRequired ? xml('required', ns.dataForm) : undefined,
  );
}

function plainIn(query: XmlElement, name: string): string {
  return textOf(childOf(query, name, ns.register)).trim();
}

function valueIn(form: XmlElement, name: string): string {
  const filled = childrenOf(form, 'field', ns.dataForm).find(({ attributes }) => attributes.var === name);
  return textOf(filled && childOf(filled, 'value')).trim();
}

import { notAcceptable } from '../registry/api-errors.ts';

/** The form of an answer that a client prefers and we have. */
export type AnswerForm = 'Object' | 'Table' | 'PartialObjectMetadata';

export interface Answer {
  readonly form: AnswerForm;
  /** Of `meta.k8s.io`, for the two forms of that group. */
  readonly version: 'v1' | 'v1beta1';
}

const plain: Answer = { form: 'Object', version: 'v1' };
const allForms: readonly AnswerForm[] = ['Object', 'Table', 'PartialObjectMetadata'];
const forms: Readonly<Record<string, AnswerForm>> = {
  Table: 'Table',
  PartialObjectMetadata: 'PartialObjectMetadata',
  PartialObjectMetadataList: 'PartialObjectMetadata',
};

/** In the client's order. Throws ApiError 406 when it takes nothing that we have; reviews have one form only. */
export function negotiate(accept: string | undefined, available: readonly AnswerForm[] = allForms): Answer {
  if (accept === undefined || accept.trim() === '') return plain;
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    if (!['application/json', 'application/*', '*/*'].includes(type.toLowerCase())) continue;
    const { as, g, v } = Object.fromEntries(parameters.map((one) => one.split('=', 2))) as Record<string, string>;
    if (as === undefined) return plain;
    const form = Object.hasOwn(forms, as) ? forms[as] : undefined;
    if (form && available.includes(form) && g === 'meta.k8s.io' && (v === 'v1' || v === 'v1beta1'))
      return { form, version: v };
  }
  const table = available.includes('Table') ? ['application/json;as=Table;v=v1;g=meta.k8s.io'] : [];
  throw notAcceptable(['application/json', ...table]);
}

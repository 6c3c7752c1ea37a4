import { notAcceptable } from '../registry/api-errors.ts';

/** The form of an answer that a client prefers and we have. */
export type AnswerForm = 'Object' | 'Table' | 'PartialObjectMetadata';

export interface Answer {
  readonly form: AnswerForm;
  /** Of `meta.k8s.io`, for the two forms of that group. */
  readonly version: 'v1' | 'v1beta1';
}

const plain: Answer = { form: 'Object', version: 'v1' };
const forms: Readonly<Record<string, AnswerForm>> = {
  Table: 'Table',
  PartialObjectMetadata: 'PartialObjectMetadata',
  PartialObjectMetadataList: 'PartialObjectMetadata',
};

/** In the client's order. Throws ApiError 406 when it takes nothing that we have. */
export function negotiate(accept: string | undefined): Answer {
  if (accept === undefined || accept.trim() === '') return plain;
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    if (!['application/json', 'application/*', '*/*'].includes(type.toLowerCase())) continue;
    const { as, g, v } = Object.fromEntries(parameters.map((one) => one.split('=', 2))) as Record<string, string>;
    if (as === undefined) return plain;
    const form = Object.hasOwn(forms, as) ? forms[as] : undefined;
    if (form && g === 'meta.k8s.io' && (v === 'v1' || v === 'v1beta1')) return { form, version: v };
  }
  throw notAcceptable(['application/json', 'application/json;as=Table;v=v1;g=meta.k8s.io']);
}

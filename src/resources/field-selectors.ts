import { badRequest } from './api-error.ts';
import { apiVersionOf, type Kind } from './kind.ts';
import type { ApiObject } from './object.ts';

export interface FieldRequirement<T extends ApiObject = ApiObject> {
  readonly field: string;
  readonly value: string;
  readonly isEqual: boolean;
  read(object: T): string;
}

const metadataFields: Readonly<Record<string, (object: ApiObject) => string>> = {
  'metadata.name': (object) => object.metadata.name,
  'metadata.namespace': (object) => object.metadata.namespace ?? '',
};

/** `spec.nodeName=h1,status.phase!=Failed`. Throws ApiError 400 for a field that the kind cannot be selected by. */
export function parseFieldSelector<T extends ApiObject>(kind: Kind<T>, text: string): FieldRequirement<T>[] {
  if (text.trim() === '') return [];
  return splitTerms(text).map((term) => {
    const match = /^\s*([^=!\s]+)\s*(==|!=|=)(.*)$/s.exec(term);
    if (!match) throw badRequest(`invalid selector: ${JSON.stringify(text)}; can't understand ${JSON.stringify(term)}`);
    const [, field = '', operator, value = ''] = match;
    const read = Object.hasOwn(kind.selectableFields, field) ? kind.selectableFields[field] : metadataOf(field);
    if (!read) {
      throw badRequest(
        `Unable to find ${JSON.stringify(`${apiVersionOf(kind)}, Resource=${kind.plural}`)} that match field selector ` +
          `${JSON.stringify(text)}: field label not supported: ${field}`,
      );
    }
    return { field, value: unescapeValue(value), isEqual: operator !== '!=', read };
  });
}

function metadataOf(field: string): ((object: ApiObject) => string) | undefined {
  return Object.hasOwn(metadataFields, field) ? metadataFields[field] : undefined;
}

/** Commas separate; `\,` is a comma of the value. */
function splitTerms(text: string): string[] {
  const terms = text.match(/(?:\\.|[^,\\])+/gs) ?? [];
  return terms.filter((term) => term.trim() !== '');
}

function unescapeValue(value: string): string {
  return value.trim().replace(/\\([\\,=])/g, '$1');
}

/** Whether an object satisfies all requirements. */
export function matchesFields<T extends ApiObject>(requirements: readonly FieldRequirement<T>[], object: T): boolean {
  return requirements.every((one) => (one.read(object) === one.value) === one.isEqual);
}

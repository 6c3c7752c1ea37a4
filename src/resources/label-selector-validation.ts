import type { LabelSelector } from 'kubernetes-types/meta/v1.js';
import { forbidden, invalid, required } from './field-errors.ts';
import { validateLabels } from './meta-validation.ts';
import { labelValue, qualifiedName } from './name-checks.ts';
import type { FieldError } from './schema.ts';

export function validateLabelSelector(selector: LabelSelector, path: string, errors: FieldError[]): void {
  validateLabels(selector.matchLabels, `${path}.matchLabels`, errors);
  selector.matchExpressions?.forEach(({ key, operator, values = [] }, index) => {
    const at = `${path}.matchExpressions[${index}]`;
    validateOperator(at, operator, values, errors);
    for (const problem of qualifiedName(key ?? '')) errors.push(invalid(`${at}.key`, key ?? '', problem));
    for (const [item, value] of values.entries()) {
      for (const problem of labelValue(value)) errors.push(invalid(`${at}.values[${item}]`, value, problem));
    }
  });
}

function validateOperator(path: string, operator: string, values: readonly string[], errors: FieldError[]): void {
  if (operator === 'In' || operator === 'NotIn') {
    const why = "must be specified when `operator` is 'In' or 'NotIn'";
    if (values.length === 0) errors.push(required(`${path}.values`, why));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    if (values.length > 0) errors.push(forbidden(`${path}.values`, why));
  } else errors.push(invalid(`${path}.operator`, operator ?? '', 'not a valid selector operator'));
}

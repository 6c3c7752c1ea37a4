import type { LabelSelector } from 'kubernetes-types/meta/v1.js';
import { forbidden, required } from './field-errors.ts';
import { validateLabels } from './meta-validation.ts';
import type { FieldError } from './schema.ts';

export function validateLabelSelector(selector: LabelSelector, path: string, errors: FieldError[]): void {
  validateLabels(selector.matchLabels, `${path}.matchLabels`, errors);
  selector.matchExpressions?.forEach((expression, index) => {
    const field = `${path}.matchExpressions[${index}].values`;
    const isSet = expression.operator === 'In' || expression.operator === 'NotIn';
    const count = expression.values?.length ?? 0;
    if (isSet && count === 0) {
      errors.push(required(field, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (!isSet && count > 0) {
      errors.push(forbidden(field, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    }
  });
}

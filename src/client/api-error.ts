// The class lives beside the tables, which throw it too; clients import it from here.
export { ApiError, isApiError, type StatusFailure } from '../resources/api-error.ts';

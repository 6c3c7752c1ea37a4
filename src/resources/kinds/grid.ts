import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import { failoverAfterProblems } from '../failover.ts';
import { objectMeta } from '../meta.ts';
import { field, message } from '../schema.ts';
import type { Grid } from '../stack-types.ts';

export const grids = defineKind<Grid>({
  ...{ group: 'flotilla.dev', version: 'v1alpha1', kind: 'Grid', plural: 'grids' },
  namespaced: false,
  message: message('Grid', {
    metadata: field(0, objectMeta),
    spec: field(
      0,
      message('GridSpec', {
        failover: field(
          0,
          message('GridFailover', {
            after: field(0, 'string', {
              check: failoverAfterProblems,
              description: 'Silence of a node after which its pods are replaced: `10s`, `1m30s`, `never`.',
            }),
          }),
        ),
      }),
      { default: {} },
    ),
  }),
  columns: [
    nameColumn(),
    column('Failover-After', 'Silence of a node after which its pods are replaced.', afterOf),
    ageColumn(),
  ],
});

function afterOf(grid: Grid): string {
  return grid.spec?.failover?.after ?? '<default>';
}

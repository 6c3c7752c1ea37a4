import { defaultGrid } from '../../resources/names.ts';

export interface GridPath {
  readonly grid: string;
  /** What is left without `/grids/<grid>`; starts with `/`. */
  readonly pathname: string;
}

/** Which grid a path is about: its prefix, else the grid the user is bound to, else `main`. */
export function splitGridPath(pathname: string, userGrid: string | undefined): GridPath {
  const found = /^\/grids\/([^/]+)(\/.*)?$/.exec(pathname);
  if (!found?.[1]) return { grid: userGrid ?? defaultGrid, pathname };
  return { grid: found[1], pathname: found[2] ?? '/' };
}

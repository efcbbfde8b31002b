import { duckLiteral } from '../quote.ts'

/**
 * Columns of a local parquet file of which the footer says that they have nulls, with how many. A writer may leave the
 * number out: such a column is not among them.
 */
export function nullCountsSql(path: string): string {
  return `
    select path_in_schema as name, sum(stats_null_count)::double as nulls
    from parquet_metadata(${duckLiteral(path)})
    group by path_in_schema having sum(stats_null_count) > 0`
}

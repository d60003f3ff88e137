/** A line across a chart: a transition, a decision, or where the numbers begin. */
export interface Mark {
  /** Epoch s. */
  readonly at: number;
  /** In a word or two. */
  readonly label: string;
  /** Name of a colour in colours.css. */
  readonly colour: string;
  readonly isDashed: boolean;
}

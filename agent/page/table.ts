/** A table of the page. On a narrow screen each row becomes a card, so each cell carries its heading. */
import { Html, html, nothing } from './html.ts';

/** No table is longer; the command line has them all. */
const mostRows = 200;

export interface TableParts {
  /** Told to those who do not see it. */
  readonly caption: string;
  readonly headings: readonly string[];
  /** The first cell names the row. */
  readonly rows: readonly (readonly (Html | string)[])[];
  /** The command that prints the whole, where there is more than is shown. */
  readonly command: string;
}

// A table that is laid out as a block is none for a screen reader; hence the roles.
export function table({ caption, headings, rows, command }: TableParts): Html {
  const left = rows.length - mostRows;
  return html`<table role="table">
      <caption>
        ${caption}
      </caption>
      <thead role="rowgroup">
        <tr role="row">
          ${headings.map((heading) => html`<th role="columnheader" scope="col">${heading}</th>`)}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.slice(0, mostRows).map((row) => rowOf(headings, row))}
      </tbody>
    </table>
    ${left > 0 ? html`<p class="note">${left} more: <code>${command}</code></p>` : nothing}`;
}

function rowOf(headings: readonly string[], row: readonly (Html | string)[]): Html {
  const cells = row.map((cell, index) => {
    const heading = headings[index] ?? '';
    const isEmpty = cell === '' || (cell instanceof Html && cell.text === '');
    if (index === 0) return html`<th role="rowheader" scope="row" data-label="${heading}"><div>${cell}</div></th>`;
    if (isEmpty) return html`<td role="cell" class="empty" data-label="${heading}"></td>`;
    return html`<td role="cell" data-label="${heading}"><div>${cell}</div></td>`;
  });
  return html`<tr role="row">
    ${cells}
  </tr>`;
}

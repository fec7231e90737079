"""What a person would look at: digits, waveforms with spectrograms, pen strokes.

A figure is a class with one method,

    draw(rows, path, *, title, prefix=None) -> list[Path]

      rows: {label: sequences}: for instance {"input": [...], "reconstruction": [...]}; each sequence is a raw-space
        array [T, D] (float32, ragged lengths allowed), and the k-th sequences of all rows belong together.
      path: where the PNG goes (ends in .png); further files (wav) go beside it with the same stem.
      title: what the figure shows, one line.
      prefix: number of first steps that were given rather than generated (continuations); marked in the drawing.
      returns: the files written, the PNG first.

A figure that draws many draws of one thing as a band has `num_paths`, how many it wants; their labels differ in a
number at their end. One that draws nothing says so by `draws_nothing`.

matplotlib is imported when a figure is drawn, never before; figures use its Agg canvas through
`matplotlib.figure.Figure` (no pyplot, no global state).
"""

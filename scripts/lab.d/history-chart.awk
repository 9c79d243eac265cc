# Draws docs/history.svg from the lines of scripts/lab-history: "kernel NAME …" in order, and "value NAME INSTRUCTIONS ROW", ROW in
# words. Each row is a line of the chart, in per cent of its first kernel.
BEGIN {
  split("#1f77b4 #d62728 #2ca02c #9467bd #ff7f0e #8c564b #e377c2 #17becf #7f7f7f #bcbd22 #333333", colour, " ")
  left = 60; right = 330; top = 56; bottom = 46; width = 900; height = 460
}
$1 == "kernel" { kernels[++columns] = $2; place[$2] = columns }
$1 == "value" {
  name = $0
  sub(/^value [^ ]+ [^ ]+ /, "", name)
  if (!(name in row)) { row[name] = ++rows; names[rows] = name }
  value[row[name], place[$2]] = $3
}
function x(column) { return left + (columns < 2 ? 0 : (column - 1) * (width - left - right) / (columns - 1)) }
function y(share) { return height - bottom - (share - low) * (height - top - bottom) / (high - low) }
END {
  low = 1; high = 1
  for (r = 1; r <= rows; r++)
    for (c = 1; c <= columns; c++) if ((r, c) in value) {
      if (!(r in first)) first[r] = value[r, c]
      share[r, c] = value[r, c] / first[r]
      if (share[r, c] < low) low = share[r, c]
      if (share[r, c] > high) high = share[r, c]
      last[r] = share[r, c]
    }
  low = int(low * 20 - 0.001) / 20; high = int(high * 20 + 0.999) / 20
  if (high == low) high = low + 0.05
  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n", width, height
  print "<title>Instructions by kernel, in per cent of the first</title>"
  printf "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, height
  printf "<text x=\"%d\" y=\"22\" font-size=\"15\">Instructions on the lab&#8217;s intel host, in per cent of %s</text>\n", left, kernels[1]
  printf "<text x=\"%d\" y=\"40\" fill=\"#555\">kernel packages of Debian; the compiler of each stands in the table</text>\n", left
  for (s = low; s <= high + 0.001; s += 0.05) {
    printf "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", left, width - right, y(s), y(s)
    printf "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.0f %%</text>\n", left - 8, y(s) + 4, 100 * s
  }
  for (c = 1; c <= columns; c++)
    printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x(c), height - bottom + 20, kernels[c]
  printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">Linux</text>\n", (left + width - right) / 2, height - 8
  # The labels are at the ends of the lines, sorted and moved apart from top to bottom.
  for (i = 1; i <= rows; i++) by[i] = i
  for (i = 2; i <= rows; i++) {
    moved = by[i]
    for (j = i - 1; j > 0 && last[by[j]] < last[moved]; j--) by[j + 1] = by[j]
    by[j + 1] = moved
  }
  at = top - 16
  for (i = 1; i <= rows; i++) {
    r = by[i]
    at = y(last[r]) > at + 16 ? y(last[r]) : at + 16
    points = ""
    end = 1
    for (c = 1; c <= columns; c++) if ((r, c) in share) { points = points sprintf("%.1f,%.1f ", x(c), y(share[r, c])); end = c }
    printf "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"%s\"/>\n", colour[r], points
    for (c = 1; c <= columns; c++) if ((r, c) in share)
      printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x(c), y(share[r, c]), colour[r]
    printf "<line x1=\"%.1f\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x(end) + 4, width - right + 22, y(last[r]), at, colour[r]
    printf "<text x=\"%d\" y=\"%.1f\" fill=\"%s\">%s, %.0f %%</text>\n", width - right + 26, at + 4, colour[r], names[r], 100 * last[r]
  }
  print "</svg>"
}

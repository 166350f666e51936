"""Pages for people: self-contained, offline, under a strict content-security policy.

=============  ======================================================================
report_page    ``write_report``: verdict, scores, linkage, plots, galleries, data card
viewer_page    ``write_viewer``: leaf through the patients of one or more cohorts
summary        ``markdown_summary``: the same figures as Markdown
page           templates, style and script into one HTML file with its policy
labels         provenance labels, numbers and names as text
scores         ``metrics.json`` into rows to show; no arithmetic on scores
card           the seven headings of the synthetic-data card
columns        columns of two cohorts side by side
records        records as people see them; which ones a gallery shows
svg            SVG elements, escaped
figures        score bars, the linkage matrix and marginals
series_figure  a record's channels as small charts
=============  ======================================================================

Text of records reaches a page only through Jinja autoescaping or `svg.element`, which escape it.
"""

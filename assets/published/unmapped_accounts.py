"""The largest accounts that nothing is known of: what a person who knows them can add to the registry."""

from pipeline.schema.figure import Chart, Figure, Shown

UNMAPPED_ACCOUNTS_FIGURE = Figure(
    "unmapped-accounts",
    "Largest accounts that are not in the registry",
    "Of all downloads in the period, the part of each of the largest accounts of which the registry says nothing. "
    "Whose account is it, and where is that? docs/adding-an-organisation.md says how to add it: one or two lines, and "
    "a page that says it.",
    table="model_month",
    place=135,
    sql="""
        with whole as (
          select sum(downloads) as denominator, sum(coverage * downloads) / sum(downloads) as coverage,
            bool_or(is_synthetic) as is_synthetic
          from dim_month where list_contains($months, month) having sum(downloads) > 0
        ), unmapped as (
          select namespace, sum(model_month.downloads) as downloads, count(distinct hub_id) as models
          from model_month join dim_model using (hub_id)
          where list_contains($months, month) and model_month.country = 'unmapped' and namespace is not null
          group by namespace having sum(model_month.downloads) > 0
        )
        select namespace, downloads, models, denominator, coverage, downloads / denominator as share,
          case when is_synthetic then 'invented' else 'https://huggingface.co/' || namespace end as address
        from unmapped, whole order by downloads desc, namespace limit 25
    """,
    columns=(
        Shown("namespace", "account", "text"),
        Shown("share", "share", "share"),
        Shown("downloads", "downloads", "count"),
        Shown("models", "models", "count"),
        Shown("address", "address", "text"),
    ),
    chart=Chart("bars", "namespace", "share"),
    population="all models",
    if_empty="No values: no account with downloads is unmapped.",
)

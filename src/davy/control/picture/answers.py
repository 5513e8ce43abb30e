"""What a query evaluates to, as a view."""

from davy.analysis.promql.result import Matrix, Result, Scalar, String, Vector
from davy.control import views


def query(result: Result) -> views.QueryView:
    """Show what a query evaluates to; of a matrix, the last value of each series."""
    match result:
        case Scalar(value=value):
            return views.QueryView(result_type="scalar", samples=(views.SampleView({}, f"{value:g}"),))
        case String(value=text):
            return views.QueryView(result_type="string", samples=(views.SampleView({}, text),))
        case Vector(samples=samples):
            found = tuple(views.SampleView(dict(sample.labels), f"{sample.value:g}") for sample in samples)
            return views.QueryView(result_type="vector", samples=found)
        case Matrix(series=series):
            found = tuple(views.SampleView(dict(points.labels), f"{points.values[-1]:g}") for points in series)
            return views.QueryView(result_type="matrix", samples=found)

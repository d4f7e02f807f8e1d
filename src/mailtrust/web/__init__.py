"""What people see in a browser, and what their monitoring reads: the dashboard and the metrics."""

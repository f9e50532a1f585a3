"""The crawl cluster: scrapyd nodes that pull sites from one queue in MongoDB."""
